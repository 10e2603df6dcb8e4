/*
 * rows.mjs - what a row of the laboratory is, and what may be expected of it.
 *
 *	name    of the network, in a few words
 *	via     what stands between client and gateway, the nearest to the client first: software, or
 *	        { kind: 'hostile', rules }
 *	line    options of a Line
 *	endpoint  options of the gateway's endpoint, beside the usual ones
 *	plan    options of the visit (see visit.js), such as `pad`
 *	isOfPages  it is about origins, so nothing for Node
 *	isCold  no connection is there before, as to a server that the page has not come from
 *	restsLong  the later visitor is silent for as long as the first
 *	rtt     a round trip through it, in ms
 *	expect  of a gateway that does not adapt (and of one that does, where nothing else is said):
 *	   by       the transports by which the first connection may open; [] when none ever does
 *	   echoes   'all' come in order in some connection, 'some' of them, or 'none'
 *	   pushes   whether all come
 *	   answer   whether a message after the silence is answered
 *	   cut      whether the connection is cut in the silence
 *	adapts  what is otherwise with every lever: of the first visitor, and in `later` of the later one
 *	   learns   'server': the server learns of the end, and is waited for
 *	   eventually  one of the two visitors at least is answered after the silence
 *	promise  with every lever, the most ms to open: { first, later }
 *	quick   what is otherwise in a short run; without it the row is not part of one. There,
 *	   rest_ms  is the silence, and `node` whether Node visits as well
 */
import * as hostile from './rows_hostile.mjs';
import * as lines from './rows_lines.mjs';
import * as real from './rows_real.mjs';

const USUAL = { echoes: 'all', pushes: true, answer: true, cut: false };

function whole(kind, [name, { expect, ...row }]) {
	return { kind, name, via: [], endpoint: {}, plan: {}, rtt: 0, ...row, expect: { ...USUAL, ...expect } };
}

export const ROWS = Object.entries({ real: real.rows, hostile: hostile.rows, lines: lines.rows })
	.flatMap(([kind, rows]) => Object.entries(rows).map((row) => whole(kind, row)));

/* As a short run has it. */
export function shortened(row) {
	const { expect, plan, endpoint, adapts, ...quick } = row.quick;

	return { ...row, ...quick, expect: { ...row.expect, ...expect }, plan: { ...row.plan, ...plan }, endpoint: { ...row.endpoint, ...endpoint },
		adapts: row.adapts && { ...row.adapts, ...adapts } };
}

/* With these levers; single ones promise nothing but what holds always. */
export function expected(row, levers, isLater) {
	if (levers === 'off')
		return row.expect;
	if (levers !== 'on')
		return { by: null };
	const { later, ...first } = row.adapts ?? {};

	return { ...row.expect, ...first, ...(isLater ? later : {}) };
}
