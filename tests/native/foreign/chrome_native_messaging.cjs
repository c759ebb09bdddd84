// An echo, as the README of chrome-native-messaging shows it.
const nativeMessage = require("chrome-native-messaging");
process.stdin
  .pipe(new nativeMessage.Input())
  .pipe(new nativeMessage.Transform((message, push, done) => { push(message); done(); }))
  .pipe(new nativeMessage.Output())
  .pipe(process.stdout);
