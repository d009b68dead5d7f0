import { Facet } from "@codemirror/state";

/** The path of the document that an editor's state is of. */
export const pathOf = Facet.define<string, string>({ combine: (values) => values[0] ?? "" });
