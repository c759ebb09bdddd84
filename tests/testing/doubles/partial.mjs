// Doubles that open no connection, each in its own way.
const onConnect = { addListener: () => {} };
const port = { postMessage: () => {} };

export const nothing = {};
export const throws = {
  runtime: {
    onConnect,
    connect: () => {
      throw new Error("not implemented");
    },
  },
};
export const unlistened = { runtime: { connect: () => port } };
export const returns = { runtime: { onConnect, connect: () => undefined } };
export const alone = { runtime: { onConnect, connect: () => port } };
export const inside = (() => {
  let listener;
  const runtime = {
    onConnect: {
      addListener: (added) => {
        listener = added;
      },
    },
    connect: () => {
      listener(port);
      return port;
    },
  };
  return { runtime };
})();
