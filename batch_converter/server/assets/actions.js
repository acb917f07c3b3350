// What can be done with one document of the service.

import { ENDED } from "./format.js";

/** @param page does it: `act(item, what, ask)` */
export function documentActions(page) {
  const { api, uploads } = page;
  return [
    {
      key: "download",
      label: "Download",
      shown: ({ state }) => state === "ready",
      href: ({ id }) => api.pdfUrl(id),
      named: ({ pdf_name }) => pdf_name,
    },
    {
      key: "retry",
      label: "Retry",
      shown: ({ state }) => state === "failed" || state === "cancelled",
      run: (item) => page.act(item, "retry", async () => {
        await api.retry(item.id);
        uploads.resume(item.id);
      }),
    },
    {
      key: "cancel",
      label: "Cancel",
      shown: ({ state }) => !ENDED.has(state),
      run: (item) => page.act(item, "cancel", () => api.cancel(item.id)),
    },
    {
      key: "remove",
      label: "Remove",
      shown: ({ state }) => ENDED.has(state),
      run: (item) => page.act(item, "remove", () => api.remove(item.id)),
    },
  ];
}
