/** Answers questions with what the code on transmittals says, in Node and in a browser: for the tests that Python says the same. */
import { canonicalBytes, JsonError, parseJson } from "../shared/canonical";
import { parseTransmittal, reasonOf, type Transmittal } from "../shared/transmittal/data";
import { compareFiles, parseSums, type HashedFile } from "../shared/transmittal/delivery";
import { fromBase64 } from "../shared/transmittal/encoding";
import { checkSignatures, isRawSignature, readPublicKey } from "../shared/transmittal/signatures";
import { makePage } from "../shared/transmittal/page";
import { parsePaste, PasteError } from "../transmittal/model/paste";

interface Question {
  readonly ask: string;
  readonly text?: string;
  readonly viewer?: string;
  readonly jwk?: Record<string, string>;
  readonly signature?: string;
  readonly data?: string;
  readonly wanted?: readonly (readonly [path: string, sha256: string])[];
  readonly there?: readonly (readonly [path: string, sha256: string])[];
}

const file = ([path, sha256]: readonly [string, string]): HashedFile => ({ path, sha256, reason: "", size: 0 });

async function answer(question: Question): Promise<unknown> {
  const { text = "" } = question;
  switch (question.ask) {
    case "canonical":
      try {
        return { canonical: new TextDecoder().decode(canonicalBytes(parseJson(text))) };
      } catch (error) {
        return { reason: (error as JsonError).reason };
      }
    case "signature": {
      const { key } = await readPublicKey(new Map(Object.entries(question.jwk!)));
      return isRawSignature(key, fromBase64(question.signature!)!, fromBase64(question.data!)!);
    }
    case "check": {
      let read: Transmittal;
      try {
        read = parseTransmittal(text);
      } catch (error) {
        return { refused: reasonOf(error) };
      }
      const { digest, intact, signatures } = await checkSignatures(read);
      return { digest, intact, signatures: signatures.map(({ valid, attested, label, reason }) => ({ valid, attested, label, reason })) };
    }
    case "page":
      return makePage(parseTransmittal(text), question.viewer!);
    case "sums":
      return parseSums(text).map(({ path, sha256 }) => [path, sha256]);
    case "compare": {
      const there = new Map(question.there!.map((one) => [one[0], file(one)]));
      const list = { files: new Map([...there.keys()].map((path) => [path, ""])), folders: [] };
      return compareFiles(question.wanted!.map(file), list, new Set(), there).map(({ path, kind, detail }) => [path, kind, detail]);
    }
    case "paste":
      try {
        return parsePaste(text, (count) => `${count} columns`);
      } catch (error) {
        if (error instanceof PasteError) return { refused: error.message };
        throw error;
      }
    default:
      throw new Error(`${question.ask}: no such question`);
  }
}

export async function answerAll(questions: readonly Question[]): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const question of questions) answers.push(await answer(question));
  return answers;
}

Object.assign(globalThis, { answerAll });
