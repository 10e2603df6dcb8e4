/*
 * tests/unit/loop_fixture.c - a loop in the test's own time; see loop_fixture.h.
 */
#include "loop_fixture.h"

#include "base/clock.h"

enum { BEGINNING = 1000000, PATIENCE = 5000 };

struct loop *loop;
struct resolver *resolver;
uint64_t now;

static struct resolver_options resolver_options;
static unsigned step_ms;
static void (*serve_all)(void);

void loop_up(unsigned step, void (*serve)(void), const char *dns)
{
	step_ms = step;
	serve_all = serve;
	resolver_options = (struct resolver_options){
		.servers = dns,
		.timeout_ms = 100,
		.tries = 1,
		.conf = "/dev/null",
	};
	clock_set(now = BEGINNING);
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_int_eq(resolver_new(&resolver, loop, &resolver_options), 0);
}

void loop_down(void)
{
	resolver_free(resolver);
	loop_free(loop);
	clock_set(0);
}

const struct resolver_options *loop_resolver_options(void)
{
	return &resolver_options;
}

void turn(void)
{
	clock_set(now += step_ms);
	ck_assert_int_eq(loop_turn(loop, 1), 0);
	if (serve_all)
		serve_all();
}

void turns(int n)
{
	while (n-- > 0)
		turn();
}

void wait_for(const unsigned *count, unsigned n)
{
	for (int i = 0; *count < n && i < PATIENCE; i++)
		turn();
	ck_assert_uint_ge(*count, n);
}
