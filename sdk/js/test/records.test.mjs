import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const { schemas } = JSON.parse(readFileSync(new URL('../../../docs/openapi.json', import.meta.url))).components;
const source = readFileSync(new URL('../src/records.ts', import.meta.url), 'utf8');

/** The fields of an interface: their names, and whether they may be left out or null. */
function fieldsOf(name) {
  const [, body] = new RegExp(`export interface ${name} \\{\\n([^}]*)\\n\\}`).exec(source);
  return Object.fromEntries([...body.matchAll(/^ {2}(\w+)(\??): (.*);$/gm)].map(([, field, optional, type]) => [field, { optional: optional === '?', nullable: /\| null$/.test(type) }]));
}

/** The words of a type. */
function wordsOf(name) {
  const [, body] = new RegExp(`export type ${name} =([^;]*);`).exec(source);
  return [...body.matchAll(/'([^']*)'/g)].map(([, word]) => word).sort();
}

for (const name of ['CallRecord', 'LegRecord', 'Timings', 'EventData', 'EventLeg', 'EmergencyRecord', 'LegQuality']) {
  test(`${name} has the fields that the service gives, null where they may be`, () => {
    const { properties, required = [] } = schemas[name];
    const given = Object.fromEntries(Object.entries(properties).map(([field, { anyOf = [] }]) => {
      const nullable = anyOf.some((one) => one.type === 'null');
      return [field, { optional: !required.includes(field), nullable }];
    }));
    assert.deepEqual(fieldsOf(name), given);
  });
}

test('the words are those of the service', () => {
  const words = (name, field) => schemas[name].properties[field].enum.filter((word) => word !== null).sort();
  const events = words('EventRecord', 'type');
  const told = { CallState: words('CallRecord', 'state'), CallStatus: words('CallRecord', 'status'), Outcome: words('CallRecord', 'outcome'), Reason: words('CallRecord', 'reason'), EndedBy: words('CallRecord', 'ended_by'), LegSide: words('LegRecord', 'side'), LegState: words('LegRecord', 'state'), LegOutcome: words('LegRecord', 'outcome'), CallEventType: events.filter((type) => type.startsWith('call.')), LegEventType: events.filter((type) => type.startsWith('leg.')) };
  for (const [name, there] of Object.entries(told)) assert.deepEqual(wordsOf(name), there, name);
});
