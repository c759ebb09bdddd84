// A subject in Node: plays histories with whatever offers runtime.connect and runtime.onConnect.
//
//   node player.mjs MODULE[#EXPORT]
//
// The module is a path or the name of a package, seen from the working directory. It exports an object with `runtime`;
// or one with `opener` and `receiver`, each with a `runtime` of its own; or a function that returns one of these and is
// called for every history. Unless EXPORT names it, it is `default`, `browser`, `chrome`, or the module itself. The
// exports `name`, `version` and `dialect` ("chrome" unless given) go into the report.
//
// The page reference/subjects of the documentation describes the lines that are written here.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import path from "node:path";

const NO_RECEIVER = "Could not establish connection. Receiving end does not exist.";
const QUIET_ROUNDS = 3; // So many rounds of the loop have to pass without anything happening.
const ROUND_MS = 1;
const MOST_MS = 3000;
const LONG = 64;

// ---- the wire ------------------------------------------------------------------------------------------------------

// Standard output is the protocol's: what anybody else prints goes to standard error.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (...args) => process.stderr.write(...args);
const report = (value) => write(`${JSON.stringify(value)}\n`);

// As in a browser, an exception that nobody catches is logged, and nothing else comes of it.
process.on("uncaughtException", (error) => console.error(error));
process.on("unhandledRejection", (error) => console.error(error));

// ---- values --------------------------------------------------------------------------------------------------------

const SPECIAL = {
  NaN: () => NaN,
  Infinity: () => Infinity,
  cycle: () => {
    const value = [];
    value.push(value);
    return value;
  },
  long: ({ length }) => "x".repeat(length),
};

function read(value) {
  if (Array.isArray(value)) {
    return value.map(read);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  if (Object.hasOwn(value, "$")) {
    return SPECIAL[value.$](value);
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item)]));
}

function show(message) {
  if (message === undefined || (typeof message === "number" && !Number.isFinite(message))) {
    return { $: String(message) };
  }
  if (typeof message === "string" && message.length >= LONG && message === "x".repeat(message.length)) {
    return { $: "long", length: message.length };
  }
  try {
    JSON.stringify(message);
    return message;
  } catch (error) {
    return { $: String(error.message) };
  }
}

function isJson(message) {
  try {
    return JSON.stringify(message) !== undefined;
  } catch {
    return false;
  }
}

const describe = (error) => `${error?.name ?? "Error"}: ${error?.message ?? error}`;

// ---- one end -------------------------------------------------------------------------------------------------------

let happened = 0; // Counts what is reported.
let inside = ""; // The step that is being carried out.

class End {
  constructor(name, runtime) {
    this.name = name;
    this.runtime = runtime;
    this.port = null;
    this.functions = new Map();
    this.closedHere = false;
    this.told = false;
    this.last = undefined;
    this.gone = false; // Its history is over.
  }

  adopt(port) {
    this.port = port;
    port.onDisconnect?.addListener?.(() => {
      this.told = true;
    });
  }

  note(record) {
    if (!this.gone) {
      happened += 1;
      report({ type: "called", at: this.name, record });
    }
  }

  state() {
    if (this.port === null) {
      return {};
    }
    const { name, sender, error } = this.port;
    const text = error?.message ?? null;
    return {
      p: {
        name: String(name ?? ""),
        sender: sender ? "a sender" : null,
        error: text === NO_RECEIVER ? "no-receiver" : text,
        over: this.closedHere || this.told,
      },
    };
  }

  // JavaScript's errors have no types: the circumstances say which one it is.
  wordFor(message) {
    if (!isJson(message)) {
      return "not-json";
    }
    if (this.closedHere) {
      return "closed";
    }
    return this.told ? "broken" : "too-large";
  }

  post(message) {
    this.last = message;
    this.port.postMessage(message);
  }

  perform(step, message) {
    const outer = inside;
    inside = step.do;
    try {
      return { value: STEPS[step.do](this, step, message) ?? null };
    } catch (error) {
      if (error instanceof Refusal) {
        return { error: error.message };
      }
      return { error: step.do === "post" || step.do === "echo" ? this.wordFor(this.last) : describe(error) };
    } finally {
      inside = outer;
    }
  }

  listenerOf({ event, listener, actions = [] }) {
    const key = `${event} ${listener}`;
    if (!this.functions.has(key)) {
      this.functions.set(key, (...args) => this.call(event, listener, actions, args));
    }
    return this.functions.get(key);
  }

  call(event, listener, actions, args) {
    const isMessage = event === "on_message";
    const [message, port] = isMessage ? args : [undefined, args[0]];
    const known = port === this.port;
    const record = { port: known ? "p" : "?", event, listener };
    if (!known) {
      record.given = typeof port?.postMessage === "function" ? "another port object" : "no port";
    }
    if (isMessage) {
      record.message = show(message);
    } else {
      const text = port?.error?.message ?? this.runtime?.lastError?.message ?? null;
      record.error = text === NO_RECEIVER ? "no-receiver" : text;
    }
    if (args.length !== (isMessage ? 2 : 1)) {
      record.arguments = args.length;
    }
    if (inside) {
      record.inside = inside;
    }
    this.note(record);
    for (const action of known && !this.gone ? actions : []) {
      if (Object.hasOwn(action, "only") && action.only !== message) {
        continue;
      }
      if (action.do === "throw") {
        throw new Error(action.text);
      }
      if (action.do === "post_or_raise") {
        this.post(read(action.message));
        continue;
      }
      const { error } = this.perform(action, message);
      if (error) {
        this.note({ port: "p", event: "raised", call: action.do, error });
      }
    }
  }
}

class Refusal extends Error {}

const EVENTS = { on_message: "onMessage", on_disconnect: "onDisconnect" };
const nobody = () => {};

const STEPS = {
  post: (end, step) => end.post(read(step.message)),
  echo: (end, step, message) => end.post(message),
  fill: (end, step) => {
    for (let number = 0; number < step.count; number += 1) {
      try {
        end.post(step.first + number);
      } catch {
        throw new Refusal(`${end.wordFor(end.last)} after ${number}`);
      }
    }
  },
  change: (end) => {
    if (Array.isArray(end.last)) {
      end.last.push("changed later");
    }
  },
  disconnect: (end) => {
    end.closedHere ||= !end.told;
    end.port.disconnect();
  },
  add_listener: (end, step) => {
    end.port[EVENTS[step.event]].addListener(end.listenerOf(step));
  },
  remove_listener: (end, step) => {
    end.port[EVENTS[step.event]].removeListener(end.functions.get(`${step.event} ${step.listener}`) ?? nobody);
  },
  has_listener: (end, step) =>
    Boolean(end.port[EVENTS[step.event]].hasListener(end.functions.get(`${step.event} ${step.listener}`) ?? nobody)),
};

// ---- one history ---------------------------------------------------------------------------------------------------

let ends = {};
let forget = nobody;

async function begin(world) {
  for (const end of Object.values(ends)) {
    end.gone = true;
    try {
      end.port?.disconnect();
    } catch {
      // It may be over.
    }
  }
  forget();
  const made = typeof world === "function" ? await world() : world;
  const opener = new End("opener", (made.opener ?? made).runtime);
  const receiver = new End("receiver", (made.receiver ?? made).runtime);
  ends = { opener, receiver };
  if (typeof opener.runtime?.connect !== "function") {
    return "there is no runtime.connect";
  }
  const adopt = (port) => receiver.adopt(port);
  try {
    receiver.runtime.onConnect.addListener(adopt);
    forget = () => receiver.runtime.onConnect.removeListener?.(adopt);
  } catch (error) {
    return `runtime.onConnect.addListener threw ${describe(error)}`;
  }
  try {
    const port = opener.runtime.connect({ name: "p" });
    if (typeof port?.postMessage !== "function") {
      return `runtime.connect returned ${port === null ? "null" : typeof port}, which is not a port`;
    }
    opener.adopt(port);
  } catch (error) {
    return `runtime.connect threw ${describe(error)}`;
  }
  if (receiver.port !== null) {
    return "a listener of onConnect ran inside runtime.connect";
  }
  await settle();
  return receiver.port === null ? "no listener of onConnect was called" : null;
}

// Nothing says that nothing more will happen: wait until nothing has for some rounds of the loop.
async function settle() {
  const until = Date.now() + MOST_MS;
  for (let quiet = 0; quiet < QUIET_ROUNDS && Date.now() < until; ) {
    const seen = happened;
    await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
    await new Promise((resolve) => setImmediate(resolve));
    quiet = seen === happened ? quiet + 1 : 0;
  }
}

const stateOfAll = () => ({
  ports: Object.fromEntries(Object.entries(ends).map(([name, end]) => [name, end.state()])),
});

async function carryOut(command, world) {
  let results = [];
  if (command.begin) {
    const error = await begin(world);
    results = error === null ? [] : [{ error }];
  } else {
    const { at, steps } = command.move ?? { steps: [] };
    results = steps.map((step) => ends[step.at ?? at].perform(step));
    await settle();
  }
  report({ type: "results", id: command.id, results, state: stateOfAll() });
}

// ---- the module ----------------------------------------------------------------------------------------------------

async function load(specifier) {
  const [name, exported] = specifier.split("#");
  const here = path.join(process.cwd(), "here.js");
  const file = name.startsWith(".") || path.isAbsolute(name) ? path.resolve(name) : createRequire(here).resolve(name);
  const module = await import(pathToFileURL(file));
  const world = exported ? module[exported] : (module.default ?? module.browser ?? module.chrome ?? module);
  if (!world) {
    throw new Error(`${name} exports no ${exported}`);
  }
  return { world, name: module.name ?? specifier, version: module.version ?? "", dialect: module.dialect ?? "chrome" };
}

const { world, name, version, dialect } = await load(process.argv[2]).catch((error) => {
  process.stderr.write(`${describe(error)}\n`);
  process.exit(1);
});
report({
  type: "hello",
  protocol: 1,
  name: String(name),
  version: String(version),
  dialect,
  receivers: 1,
  moves: ["turn"],
  steps: [...Object.keys(STEPS), "post_or_raise", "throw"],
  values: Object.keys(SPECIAL),
});
for await (const line of createInterface({ input: process.stdin })) {
  await carryOut(JSON.parse(line), world);
}
process.exit(0);
