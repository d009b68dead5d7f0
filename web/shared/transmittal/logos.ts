/** Logos of a transmittal: images in its own bytes, since a page fetches none. */

const LOGO = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/;
/** A logo is copied into every transmittal. */
export const LARGEST_LOGO = 100 << 10;

/** Whether a text is an image that is in the text itself. */
export function isLogo(text: string): boolean {
  return LOGO.test(text) && text.length <= LARGEST_LOGO * 1.4;
}

/** Returns an image as such a text; null for what is none, or is too large. */
export async function readLogo(file: File): Promise<string | null> {
  if (file.size > LARGEST_LOGO) return null;
  const read = await new Promise<string>((done) => {
    const reader = new FileReader();
    reader.addEventListener("loadend", () => done(typeof reader.result === "string" ? reader.result : ""));
    reader.readAsDataURL(file);
  });
  return isLogo(read) ? read : null;
}
