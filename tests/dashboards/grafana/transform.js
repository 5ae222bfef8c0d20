// Does to the answers of Prometheus what Grafana does to them before a panel draws: reads [{transformations, frames}] from standard
// input, writes for each the names of the columns and their values. A frame is {refId, fields: [{name, type, values}]}.
globalThis.window = globalThis; // it looks for a browser's window when it is loaded
const {
  getFieldDisplayName, standardTransformers, standardTransformersRegistry, toDataFrame, transformDataFrame,
} = require('@grafana/data');

const all = new Map(Object.values(standardTransformers).map((each) => [each.id, each])); // some stand there by two names
standardTransformersRegistry.setInit(() => Array.from(all.values(), (each) => ({ id: each.id, name: each.name, transformation: each })));

async function shown({ transformations, frames }) {
  const given = frames.map((frame) => toDataFrame(frame));
  const context = { interpolate: (text) => text };
  const made = await new Promise((done, failed) => transformDataFrame(transformations, given, context).subscribe(done, failed));
  return made.map((frame) =>
    frame.fields.map((field) => ({ name: getFieldDisplayName(field, frame, made), values: Array.from(field.values) })));
}

let text = '';
process.stdin.on('data', (part) => { text += part; });
process.stdin.on('end', async () => process.stdout.write(JSON.stringify(await Promise.all(JSON.parse(text).map(shown)))));
