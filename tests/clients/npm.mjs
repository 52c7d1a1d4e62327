// Asks a server through the npm packages `translate` and `deepl-node`, and prints a JSON object of what they return.
// Usage: node npm.mjs URL FOLDER-WITH-node_modules
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [url, folder] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { default: translate } = await import(pathToFileURL(`${folder}/node_modules/translate/index.min.js`));
const deepl = require("deepl-node");

Object.assign(translate, { engine: "libre", url: `${url}/translate`, from: "en" });
const client = new deepl.DeepLClient("any", { serverUrl: url, maxRetries: 0 });
const failed = (promise) => promise.then(() => "no error", (error) => error.message);

console.log(JSON.stringify({
  translate: await translate("I love you.", "fr"),
  byName: await translate("I love you.", { to: "French" }),
  unknown: await failed(translate("I love you.", "ko")),
  many: (await client.translateText(["I love you.", "the cat"], "en", "fr", { formality: "prefer_more", preserveFormatting: true })).map((each) => each.text),
  detected: (await client.translateText("I love you.", null, "fr")).detectedSourceLang,
  html: (await client.translateText("<p>the <b>cat</b></p>", "en", "fr", { tagHandling: "html" })).text,
  xml: (await client.translateText("see <x>a &lt; b</x> now", "en", "fr", { tagHandling: "xml", ignoreTags: ["x"] })).text,
  sources: (await client.getSourceLanguages()).map((each) => [each.code, each.name]),
  targets: (await client.getTargetLanguages()).map((each) => [each.code, each.name]),
  glossaries: await client.listGlossaries(),
  used: (await client.getUsage()).anyLimitReached(),
  formality: await failed(client.translateText("a", "en", "fr", { formality: "more" })),
}));
