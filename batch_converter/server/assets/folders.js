// From what is dropped or chosen to a list of files with the paths that they keep.

const ORDER = new Intl.Collator("en", { numeric: true });
const byName = (one, other) => ORDER.compare(one.name, other.name);
const DJVU_NAME = /\.(djvu|djv)$/i;

/**
 * Everything that a drop holds, folders read to their end.
 *
 * The entries must be taken within the event: afterwards the browser has forgotten them.
 * @returns {Promise<{files: {file: File, name: string}[], passedOver: string[],
 *   unreadable: string[]}>}
 */
export async function readDrop(transfer) {
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = new Found();
  const folders = entries.filter((entry) => entry?.isDirectory);
  for (const entry of entries) {
    if (!entry) continue;
    if (entry instanceof File) found.files.push({ file: entry, name: entry.name });
    else if (entry.isFile) await found.take(entry, entry.name);
    else await readFolder(entry, folders.length > 1 ? `${entry.name}/` : "", found);
  }
  return found;
}

/** What an input holds; of a folder's files the path below that folder. */
export function readInput(input) {
  const found = new Found();
  for (const file of input.files) {
    const below = file.webkitRelativePath.split("/").slice(1).join("/");
    if (below && !DJVU_NAME.test(below)) found.passedOver.push(below);
    else found.files.push({ file, name: below || file.name });
  }
  if (input.webkitdirectory) found.files.sort(byName);
  return found;
}

class Found {
  constructor() {
    this.files = [];
    this.passedOver = [];
    this.unreadable = [];
  }

  async take(entry, name) {
    try {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      this.files.push({ file, name });
    } catch {
      this.unreadable.push(name);
    }
  }
}

async function readFolder(folder, prefix, found) {
  let entries;
  try {
    entries = await allEntries(folder.createReader());
  } catch {
    found.unreadable.push(prefix || folder.name);
    return;
  }
  entries.sort(byName);
  for (const entry of entries) {
    const name = prefix + entry.name;
    if (entry.isDirectory) await readFolder(entry, `${name}/`, found);
    else if (DJVU_NAME.test(name)) await found.take(entry, name);
    else found.passedOver.push(name);
  }
}

/** Browsers hand out 100 entries at a time, and an empty list after the last. */
async function allEntries(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}
