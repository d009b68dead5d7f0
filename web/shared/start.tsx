// How a page begins while no folder is open: what it is for, and the way in.
import type { ComponentChildren, JSX } from "preact";

interface StartProps {
  readonly words: {
    readonly emptyHead: string;
    readonly emptyWays: readonly string[];
    readonly dropHint: string;
    readonly emptyBrowsers: string;
  };
  /** The button that opens a folder. */
  readonly children: ComponentChildren;
}

export function Start({ words, children }: StartProps): JSX.Element {
  return (
    <div class="start">
      <h1>{words.emptyHead}</h1>
      <ol>
        {words.emptyWays.map((one) => (
          <li key={one}>{one}</li>
        ))}
      </ol>
      <div class="drop-zone">
        {children}
        <p class="muted">{words.dropHint}</p>
      </div>
      <p class="muted">{words.emptyBrowsers}</p>
    </div>
  );
}
