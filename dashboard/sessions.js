/*
 * sessions.js - the list of sessions: filters, a page at a time.
 *
 * What is looked for stands in the address (#sessions?endpoint=/app), so that it can be linked to.
 */
import { command, sentence } from './commands.js';
import { Table } from './panels.js';
import { $, duration, element, number, octets, say, transportNamed, TRANSPORTS } from './words.js';

const ROWS = 50;
const FILTERS = ['endpoint', 'transport', 'state', 'address', 'sort'];

export class Sessions {
	#table = new Table($('session-list'), [{ head: 'Session', kind: 'text' }, { head: 'Endpoint', kind: 'text' }, { head: 'Transport', kind: 'line' }, { head: 'Address', kind: 'text' }, { head: 'State', kind: 'text' }, { head: 'Messages', kind: 'number' }, { head: 'Octets', kind: 'number' }, { head: 'Buffered', kind: 'number' }, { head: 'Age', kind: 'number' }, { head: 'Heard', kind: 'number' }, { head: 'User', kind: 'text' }], 'No such sessions.');
	#after = 0;
	#next = null;
	#rows = [];
	#chosen = null;
	#asked = 0;

	constructor() {
		for (const { name, label } of TRANSPORTS)
			$('f-transport').append(element('option', { value: name }, label));
		$('filters').addEventListener('submit', (e) => {
			e.preventDefault();
			this.#goThere();
		});
		for (const name of FILTERS)
			$(`f-${name}`).addEventListener('change', () => this.#goThere());
		$('first').addEventListener('click', () => this.load(0));
		$('next').addEventListener('click', () => this.load(this.#next));
		$('refresh').addEventListener('click', () => this.load(this.#after));
	}

	showEndpoints(prefixes) {
		const select = $('f-endpoint');
		const known = new Set([...select.options].map((o) => o.value));

		for (const prefix of prefixes)
			if (!known.has(prefix))
				select.append(element('option', { value: prefix }, prefix));
	}

	get #query() {
		const query = new URLSearchParams();

		for (const name of FILTERS)
			if ($(`f-${name}`).value.trim())
				query.set(name, $(`f-${name}`).value.trim());
		return query;
	}

	#goThere() {
		const wanted = $('f-number').value.trim();
		const query = this.#query;

		if (wanted) {
			$('f-number').value = '';
			query.set('session', wanted);
		}
		location.hash = `sessions${query.size ? `?${query}` : ''}`;
	}

	/* What stands in the address. */
	choose(query) {
		this.showEndpoints([query.get('endpoint')].filter(Boolean));
		for (const name of FILTERS)
			$(`f-${name}`).value = query.get(name) ?? '';
		this.#chosen = Number(query.get('session')) || null;
		this.#show();
	}

	/* Where a session is shown, with the same filters. */
	#addressOf(session) {
		const query = this.#query;

		query.set('session', session);
		return `#sessions?${query}`;
	}

	get addressOfList() {
		const query = this.#query;

		return `#sessions${query.size ? `?${query}` : ''}`;
	}

	async load(after = 0) {
		const asked = ++this.#asked;

		try {
			const page = await command('sessions', { ...Object.fromEntries(this.#query), limit: ROWS, ...(after ? { after } : {}) });
			if (asked !== this.#asked)
				return; /* something else is wanted by now */
			this.#after = after;
			this.#next = page.next;
			this.#rows = page.sessions;
			say($('sessions-count'), page.count === 1 ? '1 session' : `${number(page.count)} sessions`);
			say($('sessions-trouble'), '');
		} catch (e) {
			if (asked === this.#asked)
				say($('sessions-trouble'), sentence(e));
		}
		this.#show();
	}

	#show() {
		$('first').disabled = this.#after === 0;
		$('next').disabled = this.#next === null;
		this.#table.show(this.#rows.map((s) => ({
			key: String(s.session), line: transportNamed(s.transport).line, href: this.#addressOf(s.session), isChosen: s.session === this.#chosen,
			cells: [s.session, s.endpoint, transportNamed(s.transport).label, s.address, s.state,
				number(s.messages_in + s.messages_out), octets(s.bytes_in + s.bytes_out), octets(s.buffered),
				duration(s.age_ms / 1000), `${duration(s.heard_ms_ago / 1000)} ago`, s.user ?? '·'],
		})));
	}
}
