/** What the pages say that work on a folder, around what they show of it. */
export const folderText = {
  left: "Choices",
  right: "Detail",
  toggleLeft: "Show or hide the choices",
  local: "local",
  server: "served",
  index: "index",
  zip: "zip",
  input: "local copy",
  readOnly: "read-only",
  canWrite: "can write",
  anonymous: "anonymous",
  cancel: "Cancel",
  ok: "OK",
} as const;
