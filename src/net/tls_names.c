/*
 * net/tls_names.c - which certificate is for which name, by what stands in the certificates
 * themselves: subjectAltName, with "*.example.com" for all names of one label more.
 *
 * A sorted table, so that a handshake costs the same with one certificate or a thousand.
 */
#include <errno.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/tls_private.h"

#define NAME_MAX_BYTES 255

static int add(struct tls_names *names, const char *text, size_t n, size_t certificate)
{
	size_t room = names->room ? names->room * 2 : 8;
	struct tls_name *items = names->items;

	if (names->count == names->room) {
		items = mem_realloc(items, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		names->items = items;
		names->room = room;
	}
	items[names->count] = (struct tls_name){ mem_strndup(text, n), certificate };
	if (!items[names->count].text)
		return -ENOMEM;
	names->count++;
	return 0;
}

/* A name with a NUL in it is somebody's trick; one that is too long nobody can ask for. */
static int add_general(struct tls_names *names, const GENERAL_NAME *general, size_t certificate)
{
	const char *text;
	size_t n;

	if (general->type != GEN_DNS)
		return 0;
	text = (const char *)ASN1_STRING_get0_data(general->d.dNSName);
	n = (size_t)ASN1_STRING_length(general->d.dNSName);
	if (n == 0 || n > NAME_MAX_BYTES || memchr(text, '\0', n))
		return 0;
	return add(names, text, n, certificate);
}

int tls_names_add(struct tls_names *names, X509 *x, size_t certificate)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int err = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(all) && err == 0; i++)
		err = add_general(names, sk_GENERAL_NAME_value(all, i), certificate);
	GENERAL_NAMES_free(all);
	return err;
}

static int compare(const void *a, const void *b)
{
	const struct tls_name *x = a, *y = b;
	int order = strcasecmp(x->text, y->text);

	if (order != 0)
		return order;
	return (x->certificate > y->certificate) - (x->certificate < y->certificate);
}

void tls_names_sort(struct tls_names *names)
{
	if (names->count > 1)
		qsort(names->items, names->count, sizeof(*names->items), compare);
}

/* The first of that name, if there are several. */
static long find(const struct tls_names *names, const char *text)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcasecmp(names->items[middle].text, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == names->count || strcasecmp(names->items[low].text, text) != 0)
		return -1;
	return (long)names->items[low].certificate;
}

long tls_names_find(const struct tls_names *names, const char *name)
{
	char pattern[NAME_MAX_BYTES + 2] = "*";
	const char *dot = strchr(name, '.');
	long i = find(names, name);

	if (i >= 0 || !dot || dot == name || strlen(dot) > NAME_MAX_BYTES)
		return i;
	memcpy(pattern + 1, dot, strlen(dot) + 1);
	return find(names, pattern);
}

void tls_names_free(struct tls_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		mem_free(names->items[i].text);
	mem_free(names->items);
	*names = (struct tls_names){ 0 };
}
