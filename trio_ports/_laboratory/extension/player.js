// A player: carries out the steps of a history with runtime.Port, and reports what its listeners are called with.
//
// One source for every kind of context: background page or service worker, extension page, content script, and web
// page. Each opens a WebSocket to the laboratory; `protocol.py` says what is sent there. The steps are those of the
// kit's language of moves, carried out by the functions in STEPS; nothing is evaluated, because manifest version 3
// forbids it. The steps of one command run in one turn, so a race can be written down: connect, post and disconnect
// before any other context runs.
//
// `settings.js`, written by the laboratory, says where that is and which extension this is.
"use strict";

if (typeof LAB === "undefined") {
  importScripts("settings.js");
}

(() => {
  const api = globalThis.browser ?? globalThis.chrome;
  const runtime = api?.runtime;

  let ports = new Map(); // label → Port
  let labels = new WeakMap(); // Port → label
  let functions = new Map(); // "event name" → listener
  let added = []; // [target, listener]
  let epoch = 0;
  let received = 0;
  let last; // what was posted last
  let kept = new Map(); // label of a one-shot message → sendResponse
  let ways = new Map(); // what a connection was opened to → a way to send a message there

  const kind = (() => {
    if (typeof window === "undefined") {
      return "background";
    }
    if (!location.protocol.endsWith("-extension:")) {
      return runtime?.getManifest ? "script" : "web";
    }
    return location.pathname === "/page.html" ? "page" : "background";
  })();

  const socket = new WebSocket(LAB.socket);
  const waiting = []; // what a background reports before it has reached the laboratory
  const report = (value) => {
    if (socket.readyState === WebSocket.CONNECTING) {
      waiting.push(value);
    } else {
      socket.send(JSON.stringify(value));
    }
  };
  const note = (record) => report({ type: "called", record });
  const describe = (error) => `${error?.name ?? "Error"}: ${error?.message ?? error}`;

  // ---- values --------------------------------------------------------------------------------------------------

  // A value that JSON lacks, or that is too long to write down, is written {"$": "undefined"} in both directions.
  const SPECIAL = {
    undefined: () => undefined,
    NaN: () => NaN,
    Infinity: () => Infinity,
    function: () => () => {},
    bytes: ({ length }) => new Uint8Array(length ?? 0),
    cycle: () => {
      const value = {};
      value.self = value;
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
    if (typeof message === "string" && message.length >= 64 && message === "x".repeat(message.length)) {
      return { $: "long", length: message.length };
    }
    return message;
  }

  function showSender(sender) {
    if (!sender) {
      return null;
    }
    const { tab, ...rest } = sender;
    return { ...rest, ...(tab ? { tab: tab.id } : {}) };
  }

  // ---- ports ---------------------------------------------------------------------------------------------------

  // The history's own mistake, which must not look like something that the browser did.
  class Mistake extends Error {}

  function adopt(port, label) {
    ports.set(label, port);
    labels.set(port, label);
    return label;
  }

  function open(label, connect) {
    if (ports.has(label)) {
      throw new Mistake(`there is a port ${label} already`);
    }
    return adopt(connect(), label);
  }

  // A port that was received is known by its connection's name, or by a number where that is empty or taken.
  function labelOf(port) {
    const number = () => `@${++received}`;
    return labels.get(port) ?? adopt(port, port.name && !ports.has(port.name) ? port.name : number());
  }

  function portOf(step, here) {
    const port = step.port === null || step.port === undefined ? here.port : ports.get(step.port);
    if (!port) {
      throw new Mistake(`there is no port ${step.port}`);
    }
    return port;
  }

  const EVENTS = {
    on_connect: () => runtime.onConnect,
    on_connect_external: () => runtime.onConnectExternal,
    on_one_shot: () => runtime.onMessage,
    on_one_shot_external: () => runtime.onMessageExternal,
    on_message: (step, here) => portOf(step, here).onMessage,
    on_disconnect: (step, here) => portOf(step, here).onDisconnect,
  };

  // What each event's listener reports, beside the event, its own name and the port's label.
  const REPORTS = {
    on_connect: (port) => ({ name: port.name, sender: showSender(port.sender) }),
    on_connect_external: (port) => ({ name: port.name, sender: showSender(port.sender) }),
    on_message: (port, message) => ({ message: show(message) }),
    on_disconnect: (port) => ({ error: port.error?.message ?? runtime.lastError?.message ?? null }),
  };

  function makeListener({ event, listener, actions = [] }) {
    const born = epoch;
    return (first, second) => {
      if (born !== epoch) {
        return;
      }
      const [port, message] = event === "on_message" ? [second, first] : [first, undefined];
      note({ event, listener, port: labelOf(port), ...REPORTS[event](port, message) });
      for (const action of actions) {
        if (Object.hasOwn(action, "only") && action.only !== message) {
          continue;
        }
        if (action.do === "throw") {
          throw new Error(action.text);
        }
        if (action.do === "post_or_raise") {
          port.postMessage(read(action.message));
          continue;
        }
        act(action, { port, message });
      }
    };
  }

  // The listener of a one-shot message, which is sent as a pair of its label and itself.
  function makeOneShotListener({ event, listener, actions = [] }) {
    const born = epoch;
    return (labelled, sender, sendResponse) => {
      if (born !== epoch || !Array.isArray(labelled)) {
        return undefined;
      }
      const [label, message] = labelled;
      note({ event, listener, port: label, message: show(message), sender: showSender(sender) });
      let result;
      for (const action of actions) {
        if (action.do === "respond") {
          sendResponse(read(action.message));
        } else if (action.do === "answer_later") {
          kept.set(label, sendResponse);
          result = true;
        } else if (action.do === "throw") {
          throw new Error(action.text);
        } else {
          result = action.do === "promise" ? Promise.resolve(read(action.message)) : read(action.message);
        }
      }
      return result;
    };
  }

  // There is no difference between null and undefined in Python.
  function awaitAnswer(label, answer) {
    const born = epoch;
    const tell = (record) => born === epoch && note({ port: label, ...record });
    answer.then(
      (value) => tell({ event: "answered", message: show(value ?? null) }),
      (error) => tell({ event: "unanswered", error: error.message }),
    );
  }

  // One name is one function: added twice it is the same listener, as in the rules about that.
  function listenerOf(step) {
    const key = `${step.event} ${step.listener}`;
    if (!functions.has(key)) {
      functions.set(key, step.event.startsWith("on_one_shot") ? makeOneShotListener(step) : makeListener(step));
    }
    return functions.get(key);
  }

  // A message that says nothing goes wherever a connection was opened to: the browser treats both alike.
  const FLUSH = "flush";

  function wayTo(extension) {
    ways.set(`extension ${extension}`, () => runtime.sendMessage(extension, FLUSH));
  }

  function wayToTab(tab) {
    ways.set(`tab ${tab}`, () => api.tabs.sendMessage(tab, FLUSH));
  }

  // Which frame or document of a tab is meant, if only one is.
  function whereIn({ frame, document }) {
    return {
      ...(frame === null ? {} : { frameId: frame }),
      ...(document === null ? {} : { documentId: document }),
    };
  }

  // ---- steps ---------------------------------------------------------------------------------------------------

  const STEPS = {
    connect: (step) => {
      const args = step.extension === null ? [] : [step.extension];
      const label = open(step.port, () => runtime.connect(...args, { name: step.name }));
      args.forEach(wayTo);
      return label;
    },
    tabs_connect: (step) => {
      wayToTab(step.tab);
      return open(step.port, () => api.tabs.connect(step.tab, { name: step.name, ...whereIn(step) }));
    },
    ask: (step) => {
      const args = step.extension === null ? [] : [step.extension];
      awaitAnswer(step.port, runtime.sendMessage(...args, [step.port, read(step.message)]));
      args.forEach(wayTo);
    },
    ask_tab: (step) => {
      wayToTab(step.tab);
      awaitAnswer(step.port, api.tabs.sendMessage(step.tab, [step.port, read(step.message)], whereIn(step)));
    },
    respond: (step) => {
      kept.get(step.port)(read(step.message));
    },
    connect_native: (step) => open(step.port, () => runtime.connectNative(step.application)),
    post: (step, here) => {
      last = read(step.message);
      portOf(step, here).postMessage(last);
    },
    fill: (step, here) => {
      const port = portOf(step, here);
      for (let number = 0; number < step.count; number += 1) {
        port.postMessage(step.first + number);
      }
    },
    change: () => {
      last?.push?.("changed later");
    },
    echo: (step, here) => {
      portOf(step, here).postMessage(here.message);
    },
    disconnect: (step, here) => {
      portOf(step, here).disconnect();
    },
    add_listener: (step, here) => {
      const target = EVENTS[step.event](step, here);
      const listener = listenerOf(step);
      target.addListener(listener);
      added.push([target, listener]);
    },
    remove_listener: (step, here) => {
      EVENTS[step.event](step, here).removeListener(listenerOf(step));
    },
    has_listener: (step, here) => EVENTS[step.event](step, here).hasListener(listenerOf(step)),
    describe: (step, here) => {
      const port = portOf(step, here);
      return { name: port.name, sender: showSender(port.sender), error: port.error?.message ?? null };
    },
  };

  function perform(step, here = {}) {
    try {
      return { value: STEPS[step.do](step, here) };
    } catch (error) {
      return error instanceof Mistake ? { mistake: error.message } : { error: describe(error) };
    }
  }

  // What a listener's action raises has no result to be told by.
  function act(step, here) {
    const { error } = perform(step, here);
    if (error !== undefined) {
      note({ event: "raised", call: step.do, port: labels.get(here.port), error });
    }
  }

  // ---- the stage: what is done to the browser itself, and reported in no log ---------------------------------------

  const STAGE = {
    // There and back again through the browser's own process, on the ways that the messages of ports take.
    flush: async () => {
      await Promise.all([...ways.values()].map((way) => way().catch(() => null)));
    },
    reset: () => {
      epoch += 1;
      for (const [target, listener] of added) {
        try {
          target.removeListener(listener);
        } catch {
          // Chromium refuses once the port's context has gone.
        }
      }
      for (const port of ports.values()) {
        port.disconnect();
      }
      ports = new Map();
      labels = new WeakMap();
      functions = new Map();
      added = [];
      kept = new Map();
      received = 0;
      ways = homeWays();
    },
    close_frames: () => document.querySelectorAll("iframe").forEach((frame) => frame.remove()),
    create_tab: ({ url, active }) => api.tabs.create({ url, active }).then((tab) => tab.id),
    navigate_tab: ({ tab, url }) => api.tabs.update(tab, { url }).then(() => null),
    close_tab: ({ tab }) => api.tabs.remove(tab),
    frames: ({ tab }) =>
      api.webNavigation
        .getAllFrames({ tabId: tab })
        .then((frames) => frames.map(({ frameId, documentId, url }) => ({ frame: frameId, document: documentId, url }))),
    open_frame: ({ url }) => {
      const frame = document.createElement("iframe");
      frame.src = url;
      frame.dataset.url = url;
      document.body.append(frame);
    },
    navigate_frame: ({ url, old }) => {
      const frame = frameOf(old);
      frame.src = url;
      frame.dataset.url = url;
    },
    close_frame: ({ old }) => frameOf(old).remove(),
    push_state: ({ url }) => history.pushState(null, "", url),
    // Chromium gives the tab another number; Firefox returns nothing.
    discard_tab: ({ tab }) => api.tabs.discard(tab).then((discarded) => discarded?.id ?? tab),
    reload_tab: ({ tab }) => api.tabs.reload(tab),
  };

  function frameOf(url) {
    return [...document.querySelectorAll("iframe")].find((frame) => frame.dataset.url === url);
  }

  // Every context can send to its own extension, but for a web page, which has none.
  const homeWays = () => new Map(kind === "web" ? [] : [["home", () => runtime.sendMessage(FLUSH)]]);
  ways = homeWays();

  if (kind === "background" || kind === "script") {
    const answer = (message, sender, respond) => {
      if (message === FLUSH) {
        respond(null);
      }
    };
    runtime.onMessage.addListener(answer);
    runtime.onMessageExternal?.addListener(answer);
  }

  // What a background that sleeps has to do in its first turn; later would be too late.
  if (kind === "background") {
    LAB.start.forEach((step) => perform(step));
  }

  // ---- the laboratory ------------------------------------------------------------------------------------------

  socket.onopen = () => {
    report({
      type: "hello",
      extension: LAB.extension,
      id: runtime?.id ?? null,
      kind,
      url: location.href,
      page: kind === "web" || kind === "script" ? null : runtime.getURL("page.html"),
    });
    waiting.splice(0).forEach(report);
  };

  // Firefox keeps a content script's socket until it collects garbage, long after the page has gone.
  globalThis.addEventListener?.("pagehide", () => socket.close());

  socket.onmessage = async ({ data }) => {
    const { id, steps, stage } = JSON.parse(data);
    if (stage) {
      try {
        report({ type: "results", id, results: [{ value: (await STAGE[stage.do](stage)) ?? null }] });
      } catch (error) {
        report({ type: "results", id, results: [{ error: describe(error) }] });
      }
      return;
    }
    report({ type: "results", id, results: steps.map((step) => perform(step)) });
  };
})();
