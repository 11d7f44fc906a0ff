import EventLog
import FinOps
import Stages
import Testing

@Suite struct OwnCallsTests {
    private let moment = Timestamp(seconds: 1_800_000_000)

    private func call(_ number: Int) -> (call: WireCallRecorded, event: NewEvent) {
        var call = WireCallRecorded()
        (call.call, call.attempt, call.gateway) = ("call-\(number)", 1, "test")
        let id = EventID(high: 0x7000, low: UInt64(number))
        return (call, FinOpsEvent.callRecorded(call).newEvent(id: id, occurred: moment))
    }

    private func recorded(_ event: NewEvent) -> RecordedEvent {
        RecordedEvent(
            position: Position(1), stream: "calls-test-2027-01-15", version: .none, recorded: moment,
            producer: "gateway-test", producerSequence: 1, event: event)
    }

    @Test func aCallThatComesBackIsKnownOnceAndIsWhatReadingItWouldGive() throws {
        var own = OwnCalls()
        let (call, event) = call(1)
        own.add(call, as: event)
        let known = own.take(recorded(event))
        #expect(known == .callRecorded(call))
        #expect(try known == EventCatalogue.decode(event))
        #expect(own.take(recorded(event)) == nil)
    }

    @Test func anEventOfThatIdWithOtherBytesIsNotTheCall() {
        var own = OwnCalls()
        let (call, event) = call(1)
        own.add(call, as: event)
        let changed = FinOpsEvent.callRecorded(self.call(2).call).newEvent(id: event.id, occurred: moment)
        #expect(own.take(recorded(changed)) == nil)
    }

    @Test func theOldestAreForgotten() {
        var own = OwnCalls()
        let all = (0...OwnCalls.kept).map { call($0) }
        for (call, event) in all { own.add(call, as: event) }
        #expect(own.take(recorded(all[0].event)) == nil)
        #expect(own.take(recorded(all[1].event)) == .callRecorded(all[1].call))
        #expect(own.take(recorded(all[OwnCalls.kept].event)) == .callRecorded(all[OwnCalls.kept].call))
    }
}
