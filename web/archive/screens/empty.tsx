/** What is shown while nothing is open: the ways in. */
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { canPick } from "../../shared/files";
import { openPicked, openPickedFiles, openPickedFolder } from "../opening";
import { text } from "../text";

export function Empty(): JSX.Element {
  const folder = useRef<HTMLInputElement>(null);
  const file = useRef<HTMLInputElement>(null);
  return (
    <div class="empty-page">
      <h1>{text.empty.title}</h1>
      <p>{text.empty.lead}</p>
      <div class="ways">
        {canPick() && (
          <div class="card">
            <button type="button" class="primary" onClick={() => void openPicked()}>
              {text.empty.pick}
            </button>
            <p class="muted">{text.empty.pickHint}</p>
          </div>
        )}
        <div class="drop-zone">
          <b>{text.empty.drop}</b>
          <p class="muted">{text.empty.dropHint}</p>
        </div>
        <div class="card">
          <button type="button" onClick={() => file.current?.click()}>
            {text.empty.index}
          </button>
          <button type="button" class={canPick() ? "" : "primary"} onClick={() => folder.current?.click()}>
            {text.empty.input}
          </button>
          <p class="muted">{text.empty.inputHint}</p>
        </div>
      </div>
      <p class="muted">{text.empty.browsers}</p>
      <input ref={file} id="pick-file" type="file" accept=".json,.zip" hidden onChange={(event) => void openPickedFiles(event.currentTarget)} />
      <input
        ref={(input) => {
          folder.current = input;
          if (input) input.webkitdirectory = true;
        }}
        id="pick-folder"
        type="file"
        multiple
        hidden
        onChange={(event) => void openPickedFolder(event.currentTarget)}
      />
    </div>
  );
}
