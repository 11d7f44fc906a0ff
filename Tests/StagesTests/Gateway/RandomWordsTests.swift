import EventLog
import Stages
import Testing

@Suite struct RandomWordsTests {
    @Test func noTwoOfManyWordsAreTheSame() {
        var random = RandomWords()
        let words = (0..<1_000).map { _ in random.next() as UInt64 }
        #expect(Set(words).count == words.count)
        #expect(!words.contains(0))
    }

    @Test func idsOfOneMomentDiffer() {
        var random = RandomWords()
        let ids = (0..<1_000).map { _ in EventID.v7(at: Timestamp(seconds: 1_800_000_000), using: &random) }
        #expect(Set(ids).count == ids.count)
    }
}
