/*
 * doctor_report.js - what is told to those who run the gateway: numbers and words, see doc/doctor.md.
 */
import { viaOf } from './doctor_seen.js';

const VIA_CHARS = 40;

function whole(ms) {
	return Math.min(3600000, Math.max(0, Math.round(ms ?? 0)));
}

function transport(trial, facts) {
	const row = { name: trial.name, state: trial.state };

	if (trial.state === 'untried' || !trial.opened)
		return row;
	Object.assign(row, { open_ms: whole(trial.openMs), sends: Boolean(trial.sends), late_ms: whole(trial.lateMs) });
	if (trial.echoMs !== null)
		row.echo_ms = whole(trial.echoMs);
	if (trial.name === 'xhr-streaming' && facts.stream.held)
		Object.assign(row, { held: facts.stream.held, held_bytes: facts.stream.heldBytes });
	return row;
}

/* facts and diagnosis as of doctor_diagnosis.js */
export function makeReport(facts, diagnosis) {
	const report = {
		cause: diagnosis.cause, causes: diagnosis.causes.slice(0, 4), client: 'browser', round_trip_ms: whole(facts.roundTripMs),
		transports: facts.transports.map((t) => transport(t, facts)),
	};
	const via = viaOf(facts.seen);

	if (facts.idle)
		report.idle = { survived_ms: whole(facts.idle.survivedMs), cut_ms: whole(facts.idle.cutMs), noticed: facts.idle.noticed };
	if (via)
		report.via = via.replace(/[^ -~]/g, '?').slice(0, VIA_CHARS);
	return report;
}
