// Files inside a page, by addresses that are given back when they are not shown any more.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";

/** The address of a blob while it is shown. */
export function useAddress(blob: Blob): string {
  const address = useMemo(() => URL.createObjectURL(blob), [blob]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  return address;
}

interface BlobProps {
  readonly blob: Blob;
  readonly title: string;
}

/** The width of a page of a PDF fills the frame, and nothing stands beside it. */
export const FIT = "#navpanes=0&view=FitH";

/**
 * A PDF in the browser's own viewer, which starts in no sandbox: its type makes sure that it is no page. `view` is what
 * the viewer reads behind the address; with one, what is no PDF at all is a fault of the viewer.
 */
export function PdfFrame({ blob, title, view = "" }: BlobProps & { readonly view?: string }): JSX.Element {
  const address = `${useAddress(blob)}${view}`;
  const frame = useRef<HTMLIFrameElement>(null);
  useEffect(() => keepFocus(frame.current!), [address]);
  return <iframe key={address} ref={frame} class="preview-frame" title={title} src={address} referrerpolicy="no-referrer" />;
}

/** The viewer takes the keyboard once it has read the file, from whoever writes elsewhere: it is given back once. */
function keepFocus(frame: HTMLIFrameElement): () => void {
  const stop = new AbortController();
  let before: EventTarget | null = document.activeElement;
  let isByKey = false;
  addEventListener("focusout", ({ target }) => (before = target), { signal: stop.signal });
  const onKey = ({ key }: KeyboardEvent) => {
    isByKey = key === "Tab";
    setTimeout(() => (isByKey = false));
  };
  addEventListener("keydown", onKey, { signal: stop.signal, capture: true });
  const onBlur = () => {
    if (document.activeElement !== frame) return;
    // Who goes there by the mouse or the keyboard stays.
    stop.abort();
    const had = before;
    // Not while the browser is still on its way to the viewer.
    if (!isByKey && !frame.matches(":hover") && had instanceof HTMLElement) setTimeout(() => had.focus());
  };
  addEventListener("blur", onBlur, { signal: stop.signal });
  return () => stop.abort();
}

/** A page that can neither run anything nor reach what is around it. */
export function PageFrame({ blob, title }: BlobProps): JSX.Element {
  const address = useAddress(blob);
  return <iframe key={address} class="preview-frame" title={title} src={address} sandbox="" referrerpolicy="no-referrer" />;
}

export function Picture({ blob, title }: BlobProps): JSX.Element {
  const address = useAddress(blob);
  return (
    <div class="preview-image">
      <img key={address} src={address} alt={title} />
    </div>
  );
}
