/** Paths of links in a document: relative to its folder, and never out of the place that was opened. */

/** Returns the path below the place that a relative link of a document leads to; null where it leads elsewhere. */
export function resolvePath(folder: string, link: string): string | null {
  const [written = ""] = link.split(/[?#]/, 1);
  if (!written || /^[a-z][a-z0-9+.-]*:/i.test(written) || written.startsWith("/") || written.includes("\\")) return null;
  let decoded: string;
  try {
    decoded = decodeURIComponent(written);
  } catch {
    return null;
  }
  if (decoded.includes("\\") || decoded.includes("\0")) return null;
  const parts = folder ? folder.split("/") : [];
  for (const part of decoded.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.length ? parts.join("/") : null;
}

/** Returns a path as it stands in a link: what would end the link, or be read as something else, is escaped. */
export function formatLinkPath(path: string): string {
  return path.split("/").map((part) => encodeURIComponent(part).replace(/[()]/g, (one) => (one === "(" ? "%28" : "%29"))).join("/");
}
