/** Where what is published can go. */
export type Target = "into" | "folder" | "zip" | "html";
