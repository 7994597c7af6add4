// Calls a service once, then talks with it in both directions, and prints what it says and its trailer.
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const { Echo } = grpc.loadPackageDefinition(loadSync("echo.proto")).corral.tests;
const client = new Echo(process.env.HOST + ":443", grpc.credentials.createSsl());
const fail = (problem) => { console.error(problem); process.exit(1); };

client.unary({ text: "one" }, (problem, word) => {
  if (problem) fail(problem);
  console.log(word.text);
  const talk = client.talk();
  const words = ["two", "three"];
  talk.on("data", (said) => {
    console.log(said.text);
    if (words.length > 0) talk.write({ text: words.shift() });
    else talk.end();
  });
  talk.on("error", fail);
  talk.on("status", (status) => { console.log(status.metadata.get("said")[0]); client.close(); });
  talk.write({ text: words.shift() });
});
