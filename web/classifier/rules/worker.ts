/** Runs the expressions that people write, where the page can end one that does not come to an end. */
import { compilePattern, compileReplacement, splitName } from "../model/patterns";
import { patternText } from "../text";
import type { Answer, Question } from "./evaluate";

self.onmessage = ({ data }: MessageEvent<Question>) => {
  let answer: Answer;
  try {
    if (data.kind === "split") {
      const expression = compilePattern(data.pattern, patternText);
      answer = { found: data.texts.map((name) => splitName(name, expression)) };
    } else {
      const replace = compileReplacement(data.search, patternText);
      answer = { found: data.texts.map(replace) };
    }
  } catch (error) {
    answer = { problem: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(answer);
};
