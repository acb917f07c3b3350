// The field and the list that narrow the table: by a text in the name, and by state.

const PAUSE_MS = 200;

/**
 * @param form holds the search field and the list of states
 * @param states what the list offers beside all of them
 * @param onNarrow called with the text and the state a moment after the last key
 */
export function listenToFilters(form, states, onNarrow) {
  const field = form.querySelector("input[type=search]");
  const list = form.querySelector("select");
  for (const name of states) list.append(new Option(name, name));
  let timer = 0;
  const narrow = () => {
    clearTimeout(timer);
    onNarrow(field.value.trim(), list.value);
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(narrow, PAUSE_MS);
  });
  list.addEventListener("change", narrow);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    narrow();
  });
}
