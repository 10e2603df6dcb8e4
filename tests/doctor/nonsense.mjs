export async function testNonsense() {}
