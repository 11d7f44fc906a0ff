import Metering
import Testing

@Suite struct DialectTests {
    @Test func thereAreTwo() { #expect(Dialect.allCases.count == 2) }
}
