/*
 * nats/nats_json.c - the JSON of a server; see nats_json.h.
 */
#include "nats/nats_json.h"

#include <errno.h>

#include "base/mem.h"
#include "base/utf8.h"

/* Jansson does not always say that memory is out; sometimes it says nothing. */
int nats_json_read(json_t **out, struct bytes text)
{
	json_error_t error;

	*out = json_loadb(text.p ? text.p : "", text.n, 0, &error);
	if (*out)
		return 0;
	return error.text[0] && json_error_code(&error) != json_error_out_of_memory ? -EBADMSG
	                                                                            : -ENOMEM;
}

/* Into memory that is large enough from the beginning: where memory ends while it grows
 * json_dumps() may leave out an octet, and what is outgrown would keep a part of a secret. */
char *nats_json_write(const json_t *value)
{
	size_t n = json_dumpb(value, NULL, 0, JSON_COMPACT);
	char *text = n > 0 ? mem_alloc(n + 1) : NULL;

	if (!text)
		return NULL;
	if (json_dumpb(value, text, n, JSON_COMPACT) != n) {
		mem_free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

bool nats_json_can_say(const char *text)
{
	return !text || utf8_is_valid(text, strlen(text));
}
