/*
 * checkup/talk.c - questions and answers; see talk.h.
 */
#include "checkup/talk.h"

#include <jansson.h>
#include <stdio.h>

int talk_seen(struct buf *out, unsigned id)
{
	return buf_printf(out, "{\"do\":\"seen\",\"id\":%u}", id);
}

int talk_echo(struct buf *out, unsigned id, unsigned octets)
{
	int err = buf_printf(out, "{\"do\":\"echo\",\"id\":%u,\"bytes\":%u,\"pad\":\"", id, octets);
	char *to = err ? NULL : buf_reserve(out, octets + 1);

	if (!to)
		return -1;
	memset(to, 'x', octets);
	buf_commit(out, octets);
	return buf_add(out, "\"}", 2);
}

int talk_push(struct buf *out, unsigned count, unsigned every_ms)
{
	return buf_printf(out, "{\"do\":\"push\",\"id\":%u,\"count\":%u,\"every_ms\":%u}",
	    TALK_PUSH, count, every_ms);
}

int talk_silence(struct buf *out, unsigned ms)
{
	return buf_printf(out, "{\"do\":\"silence\",\"id\":%u,\"ms\":%u}", TALK_SILENCE, ms);
}

/* --- answers ------------------------------------------------------------------------------- */

static long long number_of(const json_t *o, const char *name, long long otherwise)
{
	const json_t *value = json_object_get(o, name);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static void copy(char *to, size_t size, const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	snprintf(to, size, "%s", text ? text : "");
}

/* What every request of ours has. */
static bool is_ours(const char *name)
{
	static const char *const names[] = { "Host", "User-Agent", "Accept", "Accept-Encoding",
		"Origin", "Referer", "Content-Type", "Content-Length", "Connection", "Upgrade" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return strncasecmp(name, "Sec-WebSocket-", 14) == 0;
}

static void read_headers(struct saw_facts *saw, const json_t *headers)
{
	const json_t *item;
	size_t i;

	saw->count = 0;
	json_array_foreach (headers, i, item) {
		struct fact_header *h = &saw->headers[saw->count];

		copy(h->name, sizeof(h->name), item, "name");
		copy(h->value, sizeof(h->value), item, "value");
		if (h->name[0] && !is_ours(h->name) && ++saw->count == FACT_HEADERS)
			break;
	}
}

static void read_seen(struct saw_facts *saw, const json_t *o)
{
	saw->is_known = true;
	copy(saw->address, sizeof(saw->address), o, "address");
	copy(saw->protocol, sizeof(saw->protocol), o, "http");
	copy(saw->host, sizeof(saw->host), o, "host");
	copy(saw->origin, sizeof(saw->origin), o, "origin");
	read_headers(saw, json_object_get(o, "headers"));
}

struct reply talk_read(struct bytes text, struct saw_facts *saw)
{
	struct reply r = { .id = -1, .at_ms = -1 };
	json_t *o = json_loadb(text.p ? text.p : "", text.n, 0, NULL);
	const char *is = json_string_value(json_object_get(o, "is"));

	if (json_is_object(o)) {
		r.id = number_of(o, "id", -1);
		r.at_ms = number_of(o, "at_ms", -1);
	}
	if (is) {
		r.is_doctor = true;
		r.is_push = strcmp(is, "push") == 0;
		r.is_error = strcmp(is, "error") == 0;
		r.seq = r.is_push ? number_of(o, "seq", 0) : 0;
		if (strcmp(is, "seen") == 0 && !saw->is_known)
			read_seen(saw, o);
	}
	json_decref(o);
	return r;
}
