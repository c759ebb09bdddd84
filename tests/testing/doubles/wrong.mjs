// A double that calls listeners inside postMessage, with one argument, and never says that a port is over.
export const name = "wrong";
console.log("a double may print what it likes");

function makeEvent() {
  const listeners = [];
  return {
    addListener: (listener) => listeners.push(listener),
    removeListener: () => {},
    hasListener: (listener) => listeners.includes(listener),
    fire: (...args) => listeners.forEach((listener) => listener(...args)),
  };
}

export default () => {
  const onConnect = makeEvent();
  const makePort = (sender) => ({ name: "p", sender, onMessage: makeEvent(), onDisconnect: makeEvent(), disconnect: () => {} });
  const connect = () => {
    const [opener, receiver] = [makePort(), makePort({ id: "wrong" })];
    opener.postMessage = (message) => receiver.onMessage.fire(message);
    receiver.postMessage = (message) => opener.onMessage.fire(message);
    setTimeout(() => onConnect.fire(receiver));
    return opener;
  };
  return { runtime: { connect, onConnect } };
};
