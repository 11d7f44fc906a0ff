import Foundation

/// What any program pays that uses Foundation: the benchmarks hold a report's time against it.
@main
struct EmptyProgram {
    static func main() { print(Date.now.timeIntervalSince1970) }
}
