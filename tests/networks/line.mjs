/*
 * line.mjs - a line that is slow, loses packets, or has a router with NAT that forgets: two network
 * namespaces, a router with a token bucket and nftables, and the gateway behind it. Needs root, and of the
 * kernel what it uses; a line that cannot be made says why. Owns its namespaces, and takes them away.
 *
 *	clients 198.18.N.1 ---- 198.18.N.2 router 198.19.N.1 ---- 198.19.N.2 gateway
 */
import { spawnSync } from 'node:child_process';
import { check } from '../e2e/harness.mjs';

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
let count = 0;

function attempt(program, args, input) {
	const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', input, env: { ...process.env, PATH } });

	return status === 0 ? null : `${program} ${args.slice(0, 6).join(' ')}: ${(stderr ?? error.message).trim().split('\n')[0]}`;
}

function run(...words) {
	const wrong = attempt(words[0], words.slice(1));

	check(wrong === null, wrong);
}

/* What the router does with packets. One that has forgotten a connection says nothing of it to either side. */
const rules = ({ loss, nat }) => `table ip line {
	chain forward {
		type filter hook forward priority 0
		${nat ? 'ct state invalid drop' : ''}
		${loss ? `numgen random mod 1000 < ${loss * 10} drop` : ''}
	}
	${nat ? 'chain input {\n\t\ttype filter hook input priority 0\n\t\tdrop\n\t}' : ''}
	${nat ? 'chain out {\n\t\ttype nat hook postrouting priority 100\n\t\tmasquerade\n\t}' : ''}
}
`;

export class Line {
	constructor({ rate, loss, nat }) {
		Object.assign(this, { rate, loss, nat, number: count++ });
		/* Two runs at once have other names, and mostly other addresses. */
		this.name = `sockjs${process.pid}-${this.number}`;
		this.net = (process.pid * 7 + this.number) % 250;
		this.client = `v${process.pid % 100000}.${this.number}`;
	}

	get router() { return `${this.name}r`; }

	get server() { return `${this.name}s`; }

	get address() { return `198.19.${this.net}.2`; }

	/* In front of a command that is to run behind the router. */
	get prefix() { return `ip netns exec ${this.server}`; }

	#in(where, ...words) { run('ip', 'netns', 'exec', where, ...words); }

	make() {
		const { router, server, net, client } = this;

		process.on('exit', () => this.remove());
		run('ip', 'netns', 'add', router);
		run('ip', 'netns', 'add', server);
		run('ip', 'link', 'add', client, 'type', 'veth', 'peer', 'name', 'near', 'netns', router);
		run('ip', '-n', router, 'link', 'add', 'far', 'type', 'veth', 'peer', 'name', 'line', 'netns', server);
		run('ip', 'addr', 'add', `198.18.${net}.1/30`, 'dev', client);
		run('ip', '-n', router, 'addr', 'add', `198.18.${net}.2/30`, 'dev', 'near');
		run('ip', '-n', router, 'addr', 'add', `198.19.${net}.1/30`, 'dev', 'far');
		run('ip', '-n', server, 'addr', 'add', `198.19.${net}.2/30`, 'dev', 'line');
		run('ip', 'link', 'set', client, 'up');
		for (const [where, what] of [[router, 'near'], [router, 'far'], [server, 'line'], [server, 'lo']])
			run('ip', '-n', where, 'link', 'set', what, 'up');
		run('ip', 'route', 'add', `198.19.${net}.0/30`, 'via', `198.18.${net}.2`);
		run('ip', '-n', server, 'route', 'add', 'default', 'via', `198.19.${net}.1`);
		this.#in(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
		this.#shape();
		return this;
	}

	#shape() {
		const { router, rate, loss, nat } = this;

		if (rate)
			for (const device of ['near', 'far'])
				this.#in(router, 'tc', 'qdisc', 'add', 'dev', device, 'root', 'tbf', 'rate', rate, 'burst', '8kb', 'latency', '2s');
		if (nat)
			this.#in(router, 'sysctl', '-qw', 'net.netfilter.nf_conntrack_tcp_loose=0', `net.netfilter.nf_conntrack_tcp_timeout_established=${nat}`,
				`net.netfilter.nf_conntrack_tcp_timeout_unacknowledged=${nat}`, `net.netfilter.nf_conntrack_tcp_timeout_max_retrans=${nat}`);
		if (!loss && !nat)
			return;
		const wrong = attempt('ip', ['netns', 'exec', router, 'nft', '-f', '-'], rules(this));
		check(wrong === null, wrong);
	}

	remove() {
		if (this.isRemoved)
			return;
		this.isRemoved = true;
		attempt('ip', ['link', 'del', this.client]);
		attempt('ip', ['netns', 'del', this.server]);
		attempt('ip', ['netns', 'del', this.router]);
	}

	/* null, or the sentence why there can be no such line here. */
	static trouble(options) {
		if (process.getuid() !== 0)
			return 'network namespaces need root';
		const line = new Line(options);
		try {
			line.make();
			return null;
		} catch (e) {
			return e.message;
		} finally {
			line.remove();
		}
	}
}
