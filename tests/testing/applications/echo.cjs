// A correct echo in Node, without packages.
const LIMIT = 1024 * 1024;

function send(text) {
  let body = Buffer.from(text);
  if (body.length > LIMIT) body = Buffer.from('{"error": "too large to be sent back"}');
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  process.stdout.write(Buffer.concat([head, body]));
}

function answer(body) {
  let text = '{"error": "no JSON"}';
  try {
    text = JSON.stringify(body.length ? JSON.parse(body.toString()) : null);
  } catch {}
  send(text);
}

let chunks = [];
let held = 0;
let wanted = 4;
process.stdin.on("data", (chunk) => {
  chunks.push(chunk);
  held += chunk.length;
  if (held < wanted) return;
  const data = Buffer.concat(chunks);
  let at = 0;
  wanted = 4;
  while (held - at >= 4) {
    const size = data.readUInt32LE(at);
    if (held - at - 4 < size) {
      wanted = 4 + size;
      break;
    }
    answer(data.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  chunks = [data.subarray(at)];
  held -= at;
});
