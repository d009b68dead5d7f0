/** The version of zddc that a page was built from. */
declare const VERSION: string;
/** The page of a published transmittal, packed by zlib, in base64; only the transmittal page has it. */
declare const VIEWER: string;

declare module "*.css";

/** The text of a script that has all that it needs; see build.mjs. */
declare module "*?bundle" {
  const code: string;
  export default code;
}

declare module "*?text" {
  const text: string;
  export default text;
}
