import Proxy
import Testing

@Suite struct CallEndTests {
    @Test func aLostClientHasItsWord() { #expect(CallEnd.clientGone.rawValue == "client-gone") }
}
