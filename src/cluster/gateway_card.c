/*
 * cluster/gateway_card.c - what a gateway says of itself, as text; see gateway_card.h.
 */
#include "cluster/gateway_card.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define IDLE_MOST 86400000u

/* --- writing ------------------------------------------------------------------------------------ */

size_t gateway_card_print(const struct gateway_card *card, char out[ENGINE_CARD_MAX])
{
	char at[ADDR_TEXT_MAX];
	int n = snprintf(out, ENGINE_CARD_MAX,
	    "at=%s secret=%s view=%016" PRIx64 " strays=%" PRIu64 " idle=%u%s%s", addr_print(&card->at, true, at),
	    card->secret, card->view, card->strays, card->idle_ms, card->is_tls ? " tls" : "",
	    card->drains ? " drains" : "");

	return (size_t)n;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* Decimal, and no more than `most`. */
static bool read_number(struct bytes text, uint64_t most, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9' || n > most / 10)
			return false;
		n = n * 10 + (uint64_t)(text.p[i] - '0');
	}
	*out = n;
	return text.n > 0 && n <= most;
}

bool gateway_address_read(struct bytes text, struct addr *out)
{
	const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	struct bytes port;
	uint64_t n;

	if (!colon)
		return false;
	port = (struct bytes){ colon + 1, (size_t)(text.p + text.n - colon - 1) };
	text.n = (size_t)(colon - text.p);
	if (text.n > 0 && memchr(text.p, ':', text.n) && text.p[0] != '[')
		return false;
	if (!read_number(port, UINT16_MAX, &n) || n == 0 || addr_parse_ip(text, out) < 0)
		return false;
	out->port = (uint16_t)n;
	return true;
}

static bool read_secret(struct bytes text, char secret[GATEWAY_SECRET + 1])
{
	if (text.n != GATEWAY_SECRET)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (!memchr("0123456789abcdef", text.p[i], 16))
			return false;
	*(char *)bytes_put(secret, text) = '\0';
	return true;
}

static bool read_view(struct bytes text, uint64_t *view)
{
	return hex_take(&text, view) && text.n == 0;
}

static bool take_word(struct bytes *rest, struct bytes *word)
{
	const char *blank;

	if (rest->n == 0)
		return false;
	blank = memchr(rest->p, ' ', rest->n);
	*word = (struct bytes){ rest->p, blank ? (size_t)(blank - rest->p) : rest->n };
	rest->p += word->n + (blank ? 1 : 0);
	rest->n -= word->n + (blank ? 1 : 0);
	return true;
}

/* Whether the word begins with that; *value is the rest. */
static bool is_called(struct bytes word, const char *name, struct bytes *value)
{
	size_t n = strlen(name);

	if (word.n < n || memcmp(word.p, name, n) != 0)
		return false;
	*value = (struct bytes){ word.p + n, word.n - n };
	return true;
}

static bool read_word(struct bytes word, struct gateway_card *card)
{
	struct bytes value;
	uint64_t n;

	if (is_called(word, "at=", &value))
		return gateway_address_read(value, &card->at);
	if (is_called(word, "secret=", &value))
		return read_secret(value, card->secret);
	if (is_called(word, "view=", &value))
		return read_view(value, &card->view);
	if (is_called(word, "strays=", &value))
		return read_number(value, UINT64_MAX / 16, &card->strays);
	if (is_called(word, "idle=", &value)) {
		if (!read_number(value, IDLE_MOST, &n))
			return false;
		card->idle_ms = (unsigned)n;
	}
	card->is_tls |= bytes_equal(word, BYTES("tls"));
	card->drains |= bytes_equal(word, BYTES("drains"));
	return true;
}

bool gateway_card_read(struct bytes text, struct gateway_card *card)
{
	struct bytes word;

	*card = (struct gateway_card){ .strays = 1 }; /* unless it says otherwise */
	while (take_word(&text, &word))
		if (!read_word(word, card))
			return false;
	return card->at.port > 0 && card->secret[0];
}
