// Reads events one by one, and says of each that it has come: only then is the next one sent.
const response = await fetch(process.env.URL + "/events");
const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
let text = "";
for (let number = 1; number <= 3; number++) {
  while (!text.includes(`data: ${number}\n\n`)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The stream ended before event ${number}.`);
    text += value;
  }
  await fetch(process.env.URL + "/events/seen", { method: "POST" });
}
if (!(await reader.read()).done) throw new Error("There is more.");
console.log("three events");
