// The conversation with an SDK of JavaScript: node conversation.mjs KIND GATEWAY MODEL QUESTION PHRASE
import { readFileSync } from "node:fs";

const [kind, gateway, model, question, phrase] = process.argv.slice(2);
const picture = readFileSync("picture.png").toString("base64");
const name = "read_file";
const description = "Read a file.";
const schema = { type: "object", properties: { path: { type: "string" } }, required: ["path"] };
const read = ({ path }) => readFileSync(path, "utf8");

async function openai() {
  const { default: OpenAI } = await import("openai");
  const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: "none" });
  const tool = { type: "function", function: { name, description, parameters: schema, parse: JSON.parse, function: read } };
  const image = { type: "image_url", image_url: { url: `data:image/png;base64,${picture}` } };
  let messages = [];
  for (const content of [[{ type: "text", text: question }, image], phrase]) {
    messages.push({ role: "user", content });
    const runner = client.chat.completions.runTools({ model, messages, tools: [tool], stream: true });
    await runner.done();
    messages = runner.messages;
  }
  return messages.at(-1).content;
}

async function responses() {
  const { default: OpenAI } = await import("openai");
  const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: "none" });
  const tool = { type: "function", name, description, parameters: schema, strict: false };
  const image = { type: "input_image", image_url: `data:image/png;base64,${picture}`, detail: "auto" };
  const input = [];
  let answer;
  for (const content of [[{ type: "input_text", text: question }, image], phrase]) {
    input.push({ role: "user", content });
    for (let calls = [null]; calls.length; ) {
      answer = await client.responses.stream({ model, input, tools: [tool], store: false }).finalResponse();
      input.push(...answer.output);
      calls = answer.output.filter((item) => item.type === "function_call");
      const output = ({ call_id, arguments: given }) => ({ call_id, output: read(JSON.parse(given)) });
      input.push(...calls.map((call) => ({ type: "function_call_output", ...output(call) })));
    }
  }
  return answer.output_text;
}

async function anthropic(thread) {
  const { default: Anthropic } = await import("@anthropic-ai/sdk");
  const client = new Anthropic({ baseURL: gateway, apiKey: "none" });
  const tool = { name, description, input_schema: schema, run: read, parse: (input) => input };
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data: picture } };
  let messages = [];
  for (const content of [[{ type: "text", text: question }, image], phrase]) {
    messages.push({ role: "user", content });
    const runner = client.beta.messages.toolRunner({ model, max_tokens: 100, messages, tools: [tool], thread });
    await runner.runUntilDone();
    messages = runner.params.messages;
  }
  return messages.at(-1).content.at(-1).text;
}

async function ai(provider) {
  const { isStepCount, jsonSchema, streamText, tool } = await import("ai");
  const tools = { [name]: tool({ description, inputSchema: jsonSchema(schema), execute: read }) };
  const image = { type: "file", mediaType: "image/png", data: picture };
  const messages = [];
  let result;
  for (const content of [[{ type: "text", text: question }, image], phrase]) {
    messages.push({ role: "user", content });
    result = streamText({ model: provider(model), messages, tools, stopWhen: isStepCount(5) });
    messages.push(...(await result.responseMessages));
  }
  return result.text;
}

const kinds = {
  openai,
  responses,
  anthropic: () => anthropic(false),
  "anthropic-thread": () => anthropic(undefined),
  "ai-openai": async () => {
    const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
    return ai(createOpenAICompatible({ name: "ours", baseURL: `${gateway}/v1`, apiKey: "none" }));
  },
  "ai-responses": async () => {
    const { createOpenAI } = await import("@ai-sdk/openai");
    return ai(createOpenAI({ baseURL: `${gateway}/v1`, apiKey: "none" }));
  },
  "ai-anthropic": async () => {
    const { createAnthropic } = await import("@ai-sdk/anthropic");
    return ai(createAnthropic({ baseURL: `${gateway}/v1`, apiKey: "none" }));
  },
};
process.stdout.write(await kinds[kind]());
