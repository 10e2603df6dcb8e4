export async function testCommandLine() {}
