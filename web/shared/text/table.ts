/** What a table says. */
export const tableText = {
  selected: "Selected",
  selectAll: "Select all, or none",
  resize: (column: string) => `Width of ${column}`,
  group: (label: string, count: string) => `${label} (${count})`,
  more: (count: string) => `and ${count} more rows, which are not printed; save the table as CSV to have them all`,
} as const;

/** The keys of a table. */
export const tableKeys = [
  { keys: "Arrow keys, Home, End, Page Up, Page Down", does: "move", isText: true },
  { keys: "Space", does: "select the row" },
  { keys: "Shift with a move", does: "select all rows on the way", isText: true },
  { keys: "Ctrl A", does: "select everything" },
  { keys: "Ctrl C", does: "copy the selection, for a spreadsheet" },
  { keys: "Enter", does: "open" },
] as const;
