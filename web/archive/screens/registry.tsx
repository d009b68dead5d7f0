/** The screens that there are; one that is not here is not offered. Each is a component without properties. */
import type { ComponentType } from "preact";
import { cameFromOurServer } from "../../shared/served";
import type { ScreenId } from "../state";
import "./screens.css";
import "../warmUp";
import { CheckFiles } from "./check";
import { Compare } from "./compare";
import { Due } from "./due";
import { Expected } from "./expected";
import { Files } from "./files";
import { Findings } from "./findings";
import { HandIn } from "./handIn";
import { Register } from "./register";
import { Transmittals } from "./transmittals";

export const SHOWN: Partial<Record<ScreenId, ComponentType>> = {
  register: Register,
  files: Files,
  transmittals: Transmittals,
  findings: Findings,
  expected: Expected,
  due: Due,
  compare: Compare,
  check: CheckFiles,
  // Only a server of ours takes files.
  ...(cameFromOurServer() ? { "hand-in": HandIn } : {}),
};
