// An echo with web-ext-native-msg: its Input decodes chunks, its Output encodes answers.
import { Input, Output } from "web-ext-native-msg";
const input = new Input();
const output = new Output();
process.stdin.on("data", (chunk) => {
  for (const message of input.decode(chunk) ?? []) {
    const answer = output.encode(message);
    if (answer) process.stdout.write(answer);
  }
});
