/*
 * rows_lines.mjs - real lines: slow ones, lossy ones, and a NAT that forgets.
 */
const ws = ['websocket'], streaming = ['xhr-streaming'];
const strip = [{ kind: 'hostile', rules: ['strip upgrade'] }];

export const rows = {
	'256 kbit/s': { line: { rate: '256kbit' }, expect: { by: ws } },
	'64 kbit/s, messages of 300 octets': { line: { rate: '64kbit' }, plan: { pad: 300 }, expect: { by: ws } },
	'64 kbit/s, messages of 300 octets, Upgrade stripped': { line: { rate: '64kbit' }, via: strip, plan: { pad: 300 }, expect: { by: streaming } },
	'2 % of packets lost': { line: { loss: 2 }, expect: { by: null } },
	'10 % of packets lost': { line: { loss: 10 }, expect: { by: null } },
	'10 % of packets lost, Upgrade stripped': { line: { loss: 10 }, via: strip, expect: { by: null } },
	'NAT that forgets after 20 s': { line: { nat: 20 }, expect: { by: ws, answer: false, cut: null }, adapts: { answer: null, eventually: true } },
	'NAT that forgets after 20 s, Upgrade stripped': { line: { nat: 20 }, via: strip, expect: { by: streaming, answer: false, cut: null }, adapts: { answer: null, eventually: true } },
};
