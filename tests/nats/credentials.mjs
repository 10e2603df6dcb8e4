// tests/nats/credentials.mjs DIR - an operator, an account and a user, each vouched for by the one
// before, as nsc(1) would make them: writes DIR/jwt.conf for a server and DIR/user.creds for us.
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'

const PREFIX = { operator: 14 << 3, account: 0, user: 20 << 3, seed: 18 << 3 }
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

const base32 = (octets) => {
	let bits = 0, have = 0, text = ''
	for (const octet of octets) {
		bits = (bits << 8 | octet) & 0xfff
		for (have += 8; have >= 5; have -= 5) text += ALPHABET[bits >> (have - 5) & 31]
	}
	return have ? text + ALPHABET[bits << (5 - have) & 31] : text
}

const withCrc = (octets) => {
	let crc = 0
	for (const octet of octets) {
		crc ^= octet << 8
		for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff
	}
	return [...octets, crc & 0xff, crc >> 8]
}

const newKey = (kind) => {
	const { publicKey, privateKey } = generateKeyPairSync('ed25519')
	const raw = (key, part) => [...Buffer.from(key.export({ format: 'jwk' })[part], 'base64url')]
	const prefix = PREFIX[kind]
	return {
		privateKey,
		name: base32(withCrc([prefix, ...raw(publicKey, 'x')])),
		seed: base32(withCrc([PREFIX.seed | prefix >> 5, (prefix & 31) << 3, ...raw(privateKey, 'd')])),
	}
}

const token = (issuer, subject, name, nats) => {
	const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url')
	const claims = { iat: Math.floor(Date.now() / 1000), iss: issuer.name, name, sub: subject.name, nats }
	claims.jti = base32([...createHash('sha512-256').update(JSON.stringify(claims)).digest()])
	const text = part({ typ: 'JWT', alg: 'ed25519-nkey' }) + '.' + part(claims)
	return text + '.' + sign(null, Buffer.from(text), issuer.privateKey).toString('base64url')
}

const dir = process.argv[2]
const [operator, account, user] = ['operator', 'account', 'user'].map(newKey)
const none = { subs: -1, data: -1, payload: -1 }
const limits = { ...none, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 }
const operatorJwt = token(operator, operator, 'O', { type: 'operator', version: 2 })
const accountJwt = token(operator, account, 'A', { limits, default_permissions: { pub: {}, sub: {} }, type: 'account', version: 2 })
const userJwt = token(account, user, 'U', { pub: {}, sub: {}, ...none, type: 'user', version: 2 })

writeFileSync(`${dir}/jwt.conf`, `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${account.name}: ${accountJwt} }\n`)
writeFileSync(`${dir}/user.creds`, `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n` +
	`-----BEGIN USER NKEY SEED-----\n${user.seed}\n------END USER NKEY SEED------\n`)
