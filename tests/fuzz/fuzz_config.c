/*
 * tests/fuzz/fuzz_config.c - the configuration file under texts of every kind.
 *
 * What is refused is refused with a sentence that names the file; what is
 * accepted, printed and read again prints the same.
 */
#include <netdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "daemon/config.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Names lead nowhere here: a fuzzer has no business with name servers. */
int getaddrinfo(
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	(void)node, (void)service, (void)hints, (void)res;
	return EAI_NONAME;
}

static void print(const struct config *c, struct buf *out)
{
	*out = BUF_INIT;
	must(config_print(c, out) == 0);
}

static void round_trip(const struct config *c)
{
	struct config again;
	struct buf first, second;

	print(c, &first);
	must(config_init(&again) == 0);
	must(config_read_text(&again, "again", buf_data(&first), buf_len(&first)) == 0);
	print(&again, &second);
	must(buf_len(&first) == buf_len(&second));
	must(memcmp(buf_data(&first), buf_data(&second), buf_len(&first)) == 0);
	buf_fini(&first);
	buf_fini(&second);
	config_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c;

	must(config_init(&c) == 0);
	if (config_read_text(&c, "file", (const char *)data, size) == 0) {
		round_trip(&c);
		config_check(&c);
	} else {
		must(strncmp(c.error, "file:", 5) == 0);
	}
	config_fini(&c);
	return 0;
}
