// What a person is told of a request that failed.

export function explain(failure, otherwise) {
  if (failure.status === 401) return "Your session has ended.";
  if (failure.status === 0) return "No answer came. Check your connection, and try again.";
  if (failure.status < 500 && failure.message) return failure.message;
  return otherwise;
}
