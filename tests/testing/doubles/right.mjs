// A double of runtime.Port that obeys the rules of Chromium: two contexts of one extension, in one process.

export const name = "right";
export const version = "1";
export const dialect = "chrome";

const soon = (call) => setTimeout(call, 0);

class Event {
  #listeners = [];
  addListener(listener) {
    if (!this.#listeners.includes(listener)) {
      this.#listeners = [...this.#listeners, listener];
    }
  }
  removeListener(listener) {
    this.#listeners = this.#listeners.filter((other) => other !== listener);
  }
  hasListener(listener) {
    return this.#listeners.includes(listener);
  }
  // Chromium calls those that an earlier listener removes, and none that one adds.
  fire(...args) {
    for (const listener of this.#listeners) {
      try {
        listener(...args);
      } catch (error) {
        console.error(error);
      }
    }
  }
}

class Port {
  onMessage = new Event();
  onDisconnect = new Event();
  #open = true;
  constructor(name, sender) {
    this.name = name;
    this.sender = sender;
  }
  join(peer) {
    this.peer = peer;
  }
  postMessage(message) {
    if (!this.#open) {
      throw new Error("Attempting to use a disconnected port object");
    }
    const text = JSON.stringify(message);
    if (text === undefined) {
      throw new TypeError("Could not serialize message.");
    }
    if (Buffer.byteLength(text) > 64 * 1024 * 1024) {
      throw new Error("Message exceeded maximum allowed size of 64MiB.");
    }
    soon(() => this.peer.take(text));
  }
  take(text) {
    if (this.#open) {
      this.onMessage.fire(JSON.parse(text), this);
    }
  }
  disconnect() {
    if (this.#open) {
      this.#open = false;
      soon(() => this.peer.lose());
    }
  }
  lose() {
    if (this.#open) {
      this.#open = false;
      this.onDisconnect.fire(this);
    }
  }
}

export default () => {
  const onConnect = new Event();
  const connect = ({ name = "" } = {}) => {
    const opener = new Port(name);
    const receiver = new Port(name, { id: "right" });
    opener.join(receiver);
    receiver.join(opener);
    soon(() => onConnect.fire(receiver));
    return opener;
  };
  return { opener: { runtime: { connect } }, receiver: { runtime: { onConnect } } };
};
