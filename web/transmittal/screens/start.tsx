/** The first screen: two jobs, and one place to drop things. */
import type { JSX } from "preact";
import { canPick } from "../../shared/files";
import { newDraft, openFiles, openPlace, pickFiles, pickPlace } from "../loading";
import { begin, goTo } from "../state";
import { text } from "../text";

const words = text.start;

export async function makeFromFolder(): Promise<void> {
  const place = await pickPlace();
  if (place) await openPlace(place);
}

export function beginEmpty(): void {
  begin(newDraft());
  goTo("edit");
}

async function checkFolder(): Promise<void> {
  const place = await pickPlace();
  if (!place) return;
  goTo("check");
  await openPlace(place);
}

export function Start(): JSX.Element {
  return (
    <div class="start">
      <h1>{words.head}</h1>
      <p>{words.lead}</p>
      <div class="drop-zone">
        <p>
          <b>{words.drop}</b>
        </p>
        <p class="muted">{words.dropHint}</p>
        {!canPick() && <p class="muted">{words.fallback}</p>}
        <button type="button" onClick={() => void pickFiles().then(openFiles)}>
          {words.files}
        </button>
      </div>
      <div class="jobs">
        <section class="card">
          <h2>{words.make}</h2>
          <p class="muted">{words.makeHint}</p>
          <p class="buttons">
            <button type="button" class="primary" onClick={() => void makeFromFolder()}>
              {words.make}
            </button>
            <button type="button" onClick={beginEmpty}>
              {words.empty}
            </button>
          </p>
        </section>
        <section class="card">
          <h2>{words.check}</h2>
          <p class="muted">{words.checkHint}</p>
          <p class="buttons">
            <button type="button" class="primary" onClick={() => void checkFolder()}>
              {words.check}
            </button>
          </p>
        </section>
      </div>
    </div>
  );
}
