import Spool
import Testing

@Suite struct SpoolFailureTests {
    @Test func aFailureNamesItsPlace() {
        #expect("\(SpoolFailure(path: "spool/1", reason: "no space left"))" == "spool/1: no space left")
    }
}
