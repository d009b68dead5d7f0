/** Keeps each line end of a document that is not the usual one with its line, through every edit and undo. */
import { invertedEffects } from "@codemirror/commands";
import {
  type EditorState,
  type Extension,
  type Range,
  RangeSet,
  RangeValue,
  StateEffect,
  StateField,
  type Transaction,
} from "@codemirror/state";
import type { LineEnd, OddEnd } from "../model/bytes";

class OddValue extends RangeValue {
  // What is typed before or behind the line end is not a part of it.
  override startSide = 1;
  override endSide = -1;
  constructor(readonly lineEnd: LineEnd) {
    super();
  }
  override eq(other: OddValue): boolean {
    return other.lineEnd === this.lineEnd;
  }
}

const restoreEnds = StateEffect.define<readonly OddEnd[]>({
  map: (ends, changes) => ends.map(({ at, lineEnd }) => ({ at: changes.mapPos(at, 1), lineEnd })),
});

const oddEnds = StateField.define<RangeSet<OddValue>>({
  create: () => RangeSet.empty,
  update(ends, transaction) {
    let next = ends.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (effect.is(restoreEnds)) next = next.update({ add: rangesOf(effect.value), sort: true });
    }
    return next;
  },
});

function rangesOf(odd: readonly OddEnd[]): Range<OddValue>[] {
  return odd.map(({ at, lineEnd }) => new OddValue(lineEnd).range(at, at + 1));
}

/** Returns the line ends that a transaction deletes, for its undo. */
function deletedEnds(transaction: Transaction): readonly StateEffect<unknown>[] {
  const ends = transaction.startState.field(oddEnds);
  if (!transaction.docChanged || !ends.size) return [];
  const deleted: OddEnd[] = [];
  transaction.changes.iterChangedRanges((from, to) => {
    ends.between(from, to, (at, end, { lineEnd }) => {
      if (at >= from && end <= to) deleted.push({ at, lineEnd });
    });
  });
  return deleted.length ? [restoreEnds.of(deleted)] : [];
}

/** Returns the extension that knows the odd line ends of a document. */
export function keepLineEnds(odd: readonly OddEnd[]): Extension {
  return [oddEnds.init(() => RangeSet.of(rangesOf(odd), true)), invertedEffects.of(deletedEnds)];
}

/** Returns the odd line ends of a document as it is now, in its order. */
export function oddEndsOf(state: EditorState): OddEnd[] {
  const found: OddEnd[] = [];
  for (const cursor = state.field(oddEnds).iter(); cursor.value; cursor.next()) {
    found.push({ at: cursor.from, lineEnd: cursor.value.lineEnd });
  }
  return found;
}

/** Whether two states of a document would be written alike. */
export function isSameDocument(one: EditorState, other: EditorState): boolean {
  return one.doc.eq(other.doc) && RangeSet.eq([one.field(oddEnds)], [other.field(oddEnds)]);
}

/** Returns an effect that gives line ends to a document whose whole text is replaced. */
export function setLineEnds(odd: readonly OddEnd[]): StateEffect<readonly OddEnd[]> {
  return restoreEnds.of(odd);
}
