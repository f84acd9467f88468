// A DynamoDB in memory that answers DELAY milliseconds late. Prints its port.
import dynalite from "dynalite";

const delay = Number(process.argv[2] ?? 0);
const server = dynalite({ createTableMs: 0 });
const [serve] = server.listeners("request");
server.removeAllListeners("request");
server.on("request", (request, response) => {
  const end = response.end.bind(response);
  response.end = (...rest) => setTimeout(() => end(...rest), delay);
  serve(request, response);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
